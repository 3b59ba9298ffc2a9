package sqltext
import ("testing";"strings";"time")
func TestZZScale(t *testing.T){
 for _,p:=range []string{"+","+-","@","=@","''"," ","'a'\n","E'a' --x\n","$a ","$a$ $b","(","[","/*","a@a ","@a ","@zz ","$9 ",":a ","\"","-- \n","; ","f(","((SELECT ","VALUES (","1_","0x1","é","@-","<@a "}{
  line:=""
  for _,n:=range []int{20000,40000,80000}{
   s:="SELECT "+strings.Repeat(p,n/len(p))
   b:=time.Now(); Compile(s,fuzzDeclared); d1:=time.Since(b)
   s="INSERT INTO t VALUES "+strings.Repeat(p,n/len(p))
   b=time.Now(); Compile(s,fuzzDeclared); d2:=time.Since(b)
   line+="  "+d1.Round(10*time.Microsecond).String()+"/"+d2.Round(10*time.Microsecond).String()
  }
  s:="SELECT "+strings.Repeat(p,20000/len(p)); b:=time.Now(); c,_:=Compile(s,fuzzDeclared)
  _ = c
  b=time.Now(); checkInvariants(t,s,fuzzDeclared); 
  t.Logf("%-12q%s  invariants20k %s",p,line,time.Since(b).Round(time.Millisecond))
 }
}
