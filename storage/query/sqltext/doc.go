// Package sqltext reads the SQL that operators write and turns it into what is sent to the server.
//
// An operator names the parameters of an operation as @name, or numbers them as $n in the order of
// the contract. [Compile] finds them, replaces them with dense ordinals ($1, $2, ...), says which
// declared parameter each ordinal stands for, and refuses texts that could do something else than
// their author meant. It reports everything it finds, with a place in the source, in one go.
//
// The package knows SQL's lexical rules and a little of its statement structure. It must not know
// YAML, operations, Go values, connections or any schema: whether a table exists is for the server
// to say.
//
// # Lexical rules
//
// [Tokenize] follows the lexer of PostgreSQL (manual, chapter "Lexical Structure"), with
// standard_conforming_strings on, as it is by default and always on CockroachDB: string literals
// ('..', with a backslash as escape only in E'..', and B, X, N and U& in front), literals continued
// on the next line, quoted identifiers (".." and U&".."), dollar quotes, line comments, nested block
// comments, numbers, and operators. A run of operator characters is one operator; it ends before --
// and /*, and gives its trailing + and - back unless it has one of the characters ~ ! @ # % ^ & | ` ?.
//
// # What is a parameter
//
// Only a name that the operation declares is ever a parameter. A name is a lower-case ASCII letter or
// an underscore, then ASCII letters, digits and underscores; it is case-sensitive. Because PostgreSQL
// reads =@id as the operator =@ in front of a column id, there are rules for an @ with a name right
// behind it:
//
//   - Nothing but the @ itself, and no operand right before it (@id, (@id), ,@id, [1:@n]): the
//     parameter. If no such name is declared it is an error, also where the absolute value of a column
//     was meant: that is written "@ col" or abs(col).
//   - The run is one operator, or several, and then an @ (x=@id, x>=@n, a@>@b, f(x=>@a), -@a): the
//     operator, and the parameter. An undeclared name is an error.
//   - The run is an operator that itself ends in @ (a <@b, v @@fn(..), name ^@prefix), or a run
//     nobody knows, or an operand stands right before the @ (peers@peers_idx, CockroachDB's index
//     hint): the operator, left as it stands, if the name is not declared. If it is declared, both
//     readings are possible and the text is refused; a space decides (a <@ @b).
//
// An @ with anything else behind it (a space, a parenthesis, a literal, {) is an operator.
//
// # Differences from the driver
//
// pgx.NamedArgs (5.12) agrees with this package on every text in which no @ touches an operator or an
// operand on its left, every name behind an @ is declared, and there is no $n. They differ by design in
// these cases:
//
//   - @@fn(..), a <@b, table@index and @col: the driver makes parameters of them; see above.
//   - An undeclared name is NULL for the driver and an error here. @aé, @a$b and @a@b, which it
//     splits into a parameter and a rest, are errors, and so is an operand that touches the @ (1@a).
//   - $n beside @name: the driver mixes both up; here that is an error.
//   - The literal E'..' continued on the next line keeps its backslash escapes, as on the server; the
//     driver reads the continuation as a plain literal. Likewise @e'..' is an operator in front of an
//     escape literal and not the parameter e, and a number is read as the server does (1e5e'..').
//   - A text that is not valid UTF-8 or has U+0000 or U+FFFD, and an unterminated literal, quoted
//     identifier or comment, are errors here. The driver cuts the text off or leaves the rest as it is.
//   - A stray $ is an error here; the driver turns $@a into the start of a dollar quote.
//   - The semicolons, spaces and comments behind the statement are cut off here.
package sqltext
