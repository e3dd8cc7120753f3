"""The journals that come with Caucus, for ``--journal scheme:rest``."""

from caucus.journals.memory import MemoryJournalFactory

memory = MemoryJournalFactory()
