package document
import ("testing";"strings";"time")
func TestSpeed(t *testing.T){
 for _,s:=range []string{"a: ["+strings.Repeat("x,",19000)+"]","a: ["+strings.Repeat("x,",500000)+"]", "a: |\n"+strings.Repeat("  x\n",250000), "a: >\n"+strings.Repeat("  x\n",250000),"a: \""+strings.Repeat("x\\n",250000)+"\"", strings.Repeat("a: 1\n",200000)+"b: x: y", strings.Repeat("a: [b]\n",140000)+" c: d\n", "a: "+strings.Repeat("[",9000), strings.Repeat("k: ['',''] #\n",80000), "a: "+strings.Repeat("# #\n",200000), "a: '"+strings.Repeat("${A}",200000)+"'"}{
  n:=time.Now(); _,l:=Parse("x",[]byte(s),nil); t.Log(len(s),time.Since(n),len(l))
 }
}
