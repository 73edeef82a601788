"""Names of members that say something about a conversation, but are no part of what was said.

Other names are told to the user where no reader asked for them. A format adds its own by `Record.skip`.
"""

from __future__ import annotations

_IDS = ("_id", "author_id", "chat_id", "conv_id", "conversation_hash", "conversation_id", "custom_id", "doc_id", "id")
_MORE_IDS = (
    "message_id",
    "parent_id",
    "parent_message_id",
    "parentId",
    "prompt_id",
    "qid",
    "question_id",
    "request_id",
)
_STILL_MORE_IDS = ("response_id", "responseId", "run_id", "sample_id", "session_id", "sessionId", "share_id", "task_id")
_OTHER_IDS = (
    "request_id",
    "turn_id",
    "user_id",
    "uuid",
    "hash",
    "fingerprint",
    "etag",
    "idx",
    "index",
    "item_id",
    "line_id",
    "rank",
)
_TIMES = ("create_time", "created", "created_at", "created_time", "createdAt", "date", "time", "timestamp", "ts")
_MORE_TIMES = ("update_time", "updated_at", "updatedAt")
_SCORES = ("difficulty", "quality", "rating", "reward", "score", "scores", "weight", "judge", "annotator")
_COUNTS = ("completion_tokens", "prompt_tokens", "token_count", "tokens", "total_tokens", "usage", "epoch", "version")
_MODELS = ("generator", "model", "model_id", "model_name", "model_slug", "modelVersion", "provider", "revision")
_SERVERS = ("finish_reason", "finishReason", "logprobs", "object", "service_tier", "stop_reason", "stop_sequence")
_MORE_SERVERS = ("system_fingerprint", "temperature")
_PLACES = ("data_source", "dataset", "datasource", "domain", "origin", "source", "sourceId", "split", "subset", "url")
_LABELS = ("avatar", "category", "folder_id", "lang", "language", "license", "mask_type", "meta", "metadata", "tags")
_MORE_LABELS = ("task", "title", "topic")

OF_NO_MATTER = frozenset(
    (
        *(*_IDS, *_MORE_IDS, *_STILL_MORE_IDS, *_OTHER_IDS),
        *(*_TIMES, *_MORE_TIMES, *_SCORES, *_COUNTS),
        *(*_MODELS, *_SERVERS, *_MORE_SERVERS),
        *(*_PLACES, *_LABELS, *_MORE_LABELS),
    )
)
