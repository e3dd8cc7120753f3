"""The routes: each is given a request that has been judged, asks once, and says what the answer is."""
