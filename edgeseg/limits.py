"""Every bound on bytes, counts and time, with its unit in its name.

A file can come from anywhere and a handheld has little memory, so each reader asks for one of these
bounds before it allocates. They are generous for real use (the reason stands beside each) and small
enough that a crafted file cannot exhaust the device.
"""

from __future__ import annotations

_KIB = 1024
_MIB = 1024 * _KIB

# Photographs. A 48-megapixel phone JPEG is about 25 MB; a decoded 60-megapixel one is 180 MB.
MAX_PHOTO_BYTES = 64 * _MIB
MAX_PHOTO_PIXELS = 60_000_000

# Containers. FC-DenseNet103 in float32 is 38 MB, and it is the largest network made for here.
MAX_BUNDLE_BYTES = 256 * _MIB
# A catalogue item takes about 170 bytes at 128-d and its attributes: a million at `MAX_ITEMS`.
MAX_CATALOGUE_BYTES = 512 * _MIB
MAX_HEADER_BYTES = 64 * _KIB
MAX_SECTIONS = 32
MAX_SECTION_NAME_CHARS = 64

# JSON documents inside containers. A report lists layers and photographs, so it is the largest.
MAX_MANIFEST_BYTES = 64 * _KIB
# Parsed JSON takes up to 25 times its bytes in memory (`[[],[],...`), so 2 MiB is 50 MB.
MAX_REPORT_BYTES = 2 * _MIB
# A bench keeps every sample: 20 bytes each in JSON, and a hundred thousand of each target.
MAX_BENCH_REPORT_BYTES = 64 * _MIB
# Python's JSON functions recurse once a level and would end in a RecursionError near 1,000.
MAX_JSON_DEPTH = 32
MAX_TEXT_CHARS = 10_000

# Decoded photographs that wait to go through a network together: 60 of 1.4 megapixels, and beyond
# that one more, however large.
MAX_WAITING_PHOTOS_BYTES = 256 * _MIB

# Networks.
MAX_INPUT_PX = 4096
MAX_PARAMETERS = 1_000_000_000
# A category mask is uint8, and 255 is void.
MAX_CLASSES = 254
MAX_CLASS_NAME_CHARS = 100

# Catalogues.
MAX_ITEMS = 1_000_000
MAX_DIM = 4096
MAX_SKU_CHARS = 200
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_NAME_CHARS = 100
MAX_ATTRIBUTE_CHARS = 2_000
MAX_CATALOGUE_TEXT_BYTES = 256 * _MIB
MAX_K = 10_000
# What every JSON reader holds exactly.
MAX_GENERATION = 2**53 - 1
MAX_GOLDEN_QUERIES = 1_024
# Warehouses of a retailer. One file lists all that are published, in about 110 bytes each and their
# names twice: a thousand of 200 ASCII characters are within `MAX_TARGETS_BYTES`.
MAX_SHARDS = 1_000
MAX_SHARD_NAME_CHARS = 200
MAX_SHARD_LIST_BYTES = _MIB
MAX_HNSW_M = 64
# Levels are drawn as -ln(u) / ln(M): a 17th one needs 16**16 items at M = 16.
MAX_HNSW_LEVEL = 32

# Sync. Published metadata lists a few dozen files; a root is signed by a few people.
MAX_ROOT_BYTES = 64 * _KIB
MAX_TIMESTAMP_BYTES = 16 * _KIB
MAX_SNAPSHOT_BYTES = 64 * _KIB
MAX_TARGETS_BYTES = 512 * _KIB
MAX_ROOT_ROTATIONS = 64
MAX_RELEASE_BYTES = 64 * _KIB
# A device that is further behind takes the snapshot.
MAX_DELTAS = 32
MAX_STATE_BYTES = 64 * _KIB
MAX_REPORT_FILE_BYTES = 16 * _KIB
MAX_KEY_BYTES = 16 * _KIB
MAX_MACHINES = 16
# What is kept beside the files themselves: a file system's own needs, and reports.
SPARE_DISK_BYTES = 4 * _MIB
MAX_REFUSED_RELEASES = 16
MAX_KEPT_REPORTS = 200

# Tables of items or queries, as CSV.
MAX_CSV_BYTES = 256 * _MIB
MAX_CSV_FIELD_CHARS = 64 * _KIB

# Checkpoints (safetensors), as large as a float32 bundle.
MAX_CHECKPOINT_BYTES = 256 * _MIB

# An unfinished temporary file of this age was left by a killed process: no write takes an hour.
STALE_TEMPORARY_AGE_S = 3600.0

# Pages. A handheld serves one worker, a desk a few people.
MAX_CONNECTIONS = 64
MAX_REQUEST_HEAD_BYTES = 32 * _KIB
# A photo over a weak radio link; a body that takes longer is a sender that hangs.
MAX_BODY_S = 120.0
# Larger bodies are photos: four of them at `MAX_PHOTO_BYTES` are 256 MiB.
LARGE_BODY_BYTES = _MIB
MAX_UPLOADS_AT_ONCE = 4
MAX_IDLE_CONNECTION_S = 30
# What is under way when a server is stopped may take this long.
MAX_SHUTDOWN_S = 5
MAX_LOGGED_CHARS = 300

# Confirmations. One is about 2 KB with a 128-d embedding and ten matches.
MAX_CONFIRMATION_BYTES = 64 * _KIB
# Some 4,000 of them; a full file becomes the older one, of which one is kept.
MAX_CONFIRMATIONS_FILE_BYTES = 8 * _MIB
# What is posted at once of those that leave a device.
MAX_CONFIRMATIONS_BATCH_BYTES = 256 * _KIB
MAX_SHOWN_MATCHES = 50
# Of a fleet, read at once: some 50,000 of them. A file of more damaged lines holds something else.
MAX_GATHERED_BYTES = 64 * _MIB
MAX_DAMAGED_LINES = 1_000

# The handheld page. A worker decides on one answer; a few may share a server.
MAX_KEPT_ANSWERS = 16
# What a cutout is corrected on: a phone's screen shows no more.
MAX_KEPT_PHOTO_PX = 1024
MAX_SHOWN_CUTOUT_PX = 512
MAX_STROKES = 100
MAX_STROKES_BYTES = 512 * _KIB
MAX_CONFIRMING_BYTES = 4 * _KIB
# Thumbnails of 240 px are about 10 KB each.
MAX_KEPT_THUMBNAILS = 256
MAX_LABEL_PHOTOS = 500
