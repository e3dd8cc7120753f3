"""Every refusal: one class per code, with typed fields and no HTTP status.

``code`` is public and permanent; ``str(error)`` is the sentence that a person reads. The
sentences keep the fragments from which the existing clients rebuild an error's figures. An error is
made where it is raised and never kept: each raise would add to what its traceback holds on to.
"""

from caucus.errors.client import (
    AnswerTooLarge as AnswerTooLarge,
    HttpError as HttpError,
    Unreachable as Unreachable,
)
from caucus.errors.edge import (
    BadRequest as BadRequest,
    ForbiddenOrigin as ForbiddenOrigin,
    HeadersTooLarge as HeadersTooLarge,
    IdempotencyMismatch as IdempotencyMismatch,
    InvalidJson as InvalidJson,
    InvalidRequest as InvalidRequest,
    MethodNotAllowed as MethodNotAllowed,
    MisdirectedRequest as MisdirectedRequest,
    NotFound as NotFound,
    Overloaded as Overloaded,
    PayloadTooLarge as PayloadTooLarge,
    RequestTimeout as RequestTimeout,
    StreamCapacity as StreamCapacity,
    Unauthorized as Unauthorized,
)
from caucus.errors.root import (
    CaucusError as CaucusError,
    ConfigurationError as ConfigurationError,
    Detail as Detail,
    InternalError as InternalError,
)
from caucus.errors.rules import (
    CHANNEL_NAME as CHANNEL_NAME,
    ArtifactIntegrity as ArtifactIntegrity,
    ArtifactLimit as ArtifactLimit,
    ArtifactScope as ArtifactScope,
    ArtifactTooLarge as ArtifactTooLarge,
    ChannelExists as ChannelExists,
    ChannelFull as ChannelFull,
    ChannelLimit as ChannelLimit,
    DuplicatePost as DuplicatePost,
    InvalidChannelName as InvalidChannelName,
    InvalidCursor as InvalidCursor,
    InvalidMessage as InvalidMessage,
    RateLimited as RateLimited,
    RateScope as RateScope,
    TokenLimit as TokenLimit,
    UnknownChannel as UnknownChannel,
)
from caucus.errors.storage import (
    OutcomeUnknown as OutcomeUnknown,
    StorageTrouble as StorageTrouble,
    StorageUnavailable as StorageUnavailable,
)
