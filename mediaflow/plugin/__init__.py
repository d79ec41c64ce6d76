"""The public plugin API. Everything a plugin needs is imported from here; the built-in plugins use nothing else and
no module below it. (`mediaflow.testing` is the other public package, for tests of plugins.)

    from mediaflow.plugin import hookimpl

    @hookimpl
    def mediaflow_register_steps():
        return [MyStep()]

and in setup.cfg: `[options.entry_points] mediaflow = my_plugin = my_package.plugin`. See plugins/README.md for the
guide.
"""

from mediaflow.domain.blocks import BLOCK_BYTES, exact_blocks
from mediaflow.domain.copying import segments_of_groups
from mediaflow.domain.errors import (
    Busy,
    ConfigurationError,
    Conflict,
    Forbidden,
    InsufficientStorage,
    InvalidInput,
    MediaflowError,
    MediaRejected,
    NeedsWholeSource,
    NotFound,
    Problem,
    TaskFailed,
    Unauthenticated,
    Unavailable,
)
from mediaflow.domain.events import EVENTS, Event, EventKind
from mediaflow.domain.keys import checked_key
from mediaflow.domain.ladder import origin_seconds, plan_encode
from mediaflow.domain.media import (
    AudioStream,
    MediaInfo,
    MediaKind,
    PictureGroups,
    SoundPackets,
    SubtitleStream,
    VideoStream,
)
from mediaflow.domain.plan import AudioRendition, EncodePlan, Part, Reads, SegmentGrid, Span, VideoRendition
from mediaflow.domain.presentation import (
    MEDIA_OFFSET_SECONDS,
    Artifact,
    Foretold,
    Manifest,
    Presentation,
    Rendition,
    Segment,
    TextTrack,
    Track,
)
from mediaflow.domain.profile import Profile, Rung, StepSpec
from mediaflow.domain.reach import Network, Reach, checked_url, networks_of, reach
from mediaflow.domain.readymade import SOUND as READY_SOUND
from mediaflow.domain.readymade import ReadyMade, ready_made
from mediaflow.media.cmaf import InitSegment, MediaSegment, read_init, read_segment
from mediaflow.media.decoders import ALLOCATION_BYTES, MAX_PIXELS, safe_input_options
from mediaflow.media.tracks import WrittenTrack, read_track
from mediaflow.plugin.contexts import AssetView, Caller, ServiceContext
from mediaflow.plugin.interfaces import (
    ChecksMachine,
    ManifestFormat,
    MediaContext,
    PlannedTask,
    SettingSpec,
    Step,
    StepTask,
    TaskFiles,
    UploadDraft,
    UsesDevices,
    UsesNetwork,
    Workspace,
)
from mediaflow.plugin.markers import API_VERSION, ENTRY_POINT_GROUP, PROJECT_NAME, hookimpl, hookspec
from mediaflow.plugin.metrics import Metrics, MetricSpec
from mediaflow.plugin.periodic import Periodic
from mediaflow.plugin.records import EventReader, Record, Records
from mediaflow.plugin.storages import (
    CopiesObjects,
    HasLocalFiles,
    KnowsParts,
    MeasuresRoom,
    ObjectInfo,
    OffersFiles,
    PartReceipt,
    PresignsParts,
    PresignsUrls,
    ReceivesParts,
    Reception,
    Room,
    Storage,
    StorageScheme,
)
from mediaflow.plugin.wire import dump as to_json
from mediaflow.plugin.wire import load as from_json
from mediaflow.sandbox.process import Completed, Limits, ProcessRunner

__all__ = [
    "ALLOCATION_BYTES",
    "API_VERSION",
    "BLOCK_BYTES",
    "ENTRY_POINT_GROUP",
    "EVENTS",
    "MAX_PIXELS",
    "MEDIA_OFFSET_SECONDS",
    "PROJECT_NAME",
    "READY_SOUND",
    "Artifact",
    "AssetView",
    "AudioRendition",
    "AudioStream",
    "Busy",
    "Caller",
    "ChecksMachine",
    "Completed",
    "ConfigurationError",
    "Conflict",
    "CopiesObjects",
    "EncodePlan",
    "Event",
    "EventKind",
    "EventReader",
    "Forbidden",
    "Foretold",
    "HasLocalFiles",
    "InitSegment",
    "InsufficientStorage",
    "InvalidInput",
    "KnowsParts",
    "Limits",
    "Manifest",
    "ManifestFormat",
    "MeasuresRoom",
    "MediaContext",
    "MediaInfo",
    "MediaKind",
    "MediaRejected",
    "MediaSegment",
    "MediaflowError",
    "MetricSpec",
    "Metrics",
    "NeedsWholeSource",
    "Network",
    "NotFound",
    "ObjectInfo",
    "OffersFiles",
    "Part",
    "PartReceipt",
    "Periodic",
    "PictureGroups",
    "PlannedTask",
    "Presentation",
    "PresignsParts",
    "PresignsUrls",
    "Problem",
    "ProcessRunner",
    "Profile",
    "Reach",
    "Reads",
    "ReadyMade",
    "ReceivesParts",
    "Reception",
    "Record",
    "Records",
    "Rendition",
    "Room",
    "Rung",
    "Segment",
    "SegmentGrid",
    "ServiceContext",
    "SettingSpec",
    "SoundPackets",
    "Span",
    "Step",
    "StepSpec",
    "StepTask",
    "Storage",
    "StorageScheme",
    "SubtitleStream",
    "TaskFailed",
    "TaskFiles",
    "TextTrack",
    "Track",
    "Unauthenticated",
    "Unavailable",
    "UploadDraft",
    "UsesDevices",
    "UsesNetwork",
    "VideoRendition",
    "VideoStream",
    "Workspace",
    "WrittenTrack",
    "checked_key",
    "checked_url",
    "exact_blocks",
    "from_json",
    "hookimpl",
    "hookspec",
    "networks_of",
    "origin_seconds",
    "plan_encode",
    "reach",
    "read_init",
    "read_segment",
    "read_track",
    "ready_made",
    "safe_input_options",
    "segments_of_groups",
    "to_json",
]
