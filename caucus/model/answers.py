"""What operations that write are answered with."""

from caucus.model.claims import Claim, Taken
from caucus.model.presence import Acknowledged
from caucus.model.records import Appended, Descriptor, Granted, Released, StoredArtifact

Answer = Descriptor | Appended | Granted | StoredArtifact | Released | Claim | Taken | Acknowledged
"""What an operation that wrote an event was answered with."""
