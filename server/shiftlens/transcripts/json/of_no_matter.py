"""Names of members that say something about a conversation, but are no part of what was said.

Other names are told to the user where no reader asked for them. A format adds its own by `Record.skip`.
"""

from __future__ import annotations

_IDS = (
    *("_id", "author_id", "chat_id", "conv_id", "conversation_hash", "conversation_id", "custom_id", "doc_id", "etag"),
    *("fingerprint", "hash", "id", "idx", "index", "item_id", "line_id", "message_id", "parent_id"),
    *("parent_message_id", "parentId", "prompt_hash", "prompt_id", "qid", "question_id", "rank", "request_id"),
    *("response_id", "responseId", "run_id", "sample_id", "session_id", "sessionId", "share_id", "task_id", "turn_id"),
    *("user_id", "uuid"),
)
_TIMES = (
    *("create_time", "created", "created_at", "created_time", "createdAt", "date", "time", "timestamp", "ts"),
    *("update_time", "updated_at", "updatedAt"),
)
_SCORES = ("annotator", "difficulty", "judge", "quality", "rating", "reward", "score", "scores", "weight")
_COUNTS = ("completion_tokens", "epoch", "prompt_tokens", "token_count", "tokens", "total_tokens", "usage", "version")
_MODELS = ("generator", "model", "model_id", "model_name", "model_slug", "modelVersion", "provider", "revision")
_SERVERS = (
    *("cache_control", "finish_reason", "finishReason", "logprobs", "object", "service_tier", "stop_reason"),
    *("stop_sequence", "system_fingerprint", "temperature"),
)
_PLACES = ("data_source", "dataset", "datasource", "domain", "origin", "source", "sourceId", "split", "subset", "url")
_LABELS = (
    *("avatar", "category", "folder_id", "lang", "language", "license", "mask_type", "meta", "metadata", "subcategory"),
    *("tags", "task", "title", "topic"),
)

OF_NO_MATTER = frozenset((*_IDS, *_TIMES, *_SCORES, *_COUNTS, *_MODELS, *_SERVERS, *_PLACES, *_LABELS))
