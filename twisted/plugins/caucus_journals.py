"""The journals that come with Caucus, for ``--journal scheme:rest``."""

from caucus.journals.memory import MemoryJournalFactory
from caucus.journals.sqlite import SQLiteJournalFactory

memory = MemoryJournalFactory()
sqlite = SQLiteJournalFactory()
