"""The door for people: a page that shows the room in a browser, and speaks the same wire as all others."""
