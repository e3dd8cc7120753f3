"""HTTP on llhttp, the parser that Node uses."""
