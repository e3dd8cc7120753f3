"""The contracts: what a backbone is, what a journal is, how a journal is found. No code."""

from caucus.interfaces.backbone import (
    IBackbone as IBackbone,
    IFollowing as IFollowing,
    IReadiness as IReadiness,
    IRepeatable as IRepeatable,
    ITokenKeeper as ITokenKeeper,
    IWatchable as IWatchable,
)
from caucus.interfaces.claims import IClaims as IClaims
from caucus.interfaces.feed import (
    IFeed as IFeed,
    IWatchableFeed as IWatchableFeed,
)
from caucus.interfaces.journal import (
    IJournal as IJournal,
    IJournalFactory as IJournalFactory,
)
from caucus.interfaces.measured import IMeasured as IMeasured
from caucus.interfaces.presence import (
    IAlive as IAlive,
    IInbox as IInbox,
    IPresence as IPresence,
    ISessions as ISessions,
)
from caucus.interfaces.shared import ISharedJournal as ISharedJournal
