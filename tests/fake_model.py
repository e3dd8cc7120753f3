"""A model that plays a script, and keeps what it was sent: so a test sees what an agent sees.

It speaks as much of Anthropic's, OpenAI's (responses and chat completions) and Google's protocols as
harnesses need. A request without tools is for a title, or so, and takes no step.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from attrs import Factory, frozen

Fields = dict[str, Any]


@frozen
class Step:
    """What the model does next: calls a tool, or says something.

    :param before: is called before it does.
    :param namespace: where the tool is, where names have that.
    """

    tool: str = ""
    arguments: Fields = Factory(dict)
    text: str = "done"
    namespace: str = ""
    before: Callable[[], object] = lambda: None


class FakeModel:
    """Listens on loopback until it is closed.

    ``sent`` is what came with each request that took a step, as text: no test needs to know where in it a
    harness puts what.
    """

    def __init__(self, *script: Step) -> None:
        self._script = list(script)
        self._lock = threading.Lock()
        self.sent: list[str] = []
        self.numbers = count(1)
        model = self

        class Handler(_Handler):
            fake = model

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def plays(self, *script: Step) -> None:
        """A script from here on; what was sent before is forgotten."""
        with self._lock:
            self._script = list(script)
            self.sent = []

    def step(self, body: Fields) -> Step:
        """What is done next; nothing but words for what has no tools."""
        if not body.get("tools"):
            return Step(text="a title")
        with self._lock:
            self.sent.append(json.dumps(body, ensure_ascii=False))
            step = self._script.pop(0) if self._script else Step()
        step.before()
        return step

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeModel

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:  # what it can do is asked for
        self._answer(
            {"object": "list", "data": [{"id": "fake", "object": "model", "type": "model"}], "models": []}
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        path = self.path.partition("?")[0]
        if path.endswith("count_tokens"):
            self._answer({"input_tokens": 10})
        elif path.endswith("countTokens"):
            self._answer({"totalTokens": 10})
        elif path.endswith("/messages"):
            self._answer(_anthropic(self.fake, body))
        elif path.endswith("/responses"):
            self._answer(_responses(self.fake, body))
        elif path.endswith("/chat/completions"):
            self._answer(_chat(self.fake, body))
        elif "enerateContent" in path:
            self._answer(_google(self.fake, body, is_stream="stream" in path))
        else:
            self._answer({"error": "no"}, 404)

    def _answer(self, said: Fields | Iterator[str], status: int = 200) -> None:
        is_stream = not isinstance(said, dict)
        data = ("".join(said) if is_stream else json.dumps(said)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _event(kind: str, **fields: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def _anthropic(fake: FakeModel, body: Fields) -> Fields | Iterator[str]:
    step, number = fake.step(body), next(fake.numbers)
    usage = {"input_tokens": 1, "output_tokens": 1}
    if step.tool:
        block: Fields = {"type": "tool_use", "id": f"toolu_{number:024}", "name": step.tool, "input": {}}
        delta: Fields = {"type": "input_json_delta", "partial_json": json.dumps(step.arguments)}
    else:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": step.text}
    message: Fields = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "fake",
        "usage": usage,
    }
    if not body.get("stream"):
        content = [{"type": "text", "text": step.text}]
        return message | {"content": content, "stop_reason": "end_turn", "stop_sequence": None}
    opened: Fields = message | {"content": [], "stop_reason": None, "stop_sequence": None}
    ended = {"stop_reason": "tool_use" if step.tool else "end_turn", "stop_sequence": None}
    return iter((
        _event("message_start", message=opened),
        _event("content_block_start", index=0, content_block=block),
        _event("content_block_delta", index=0, delta=delta),
        _event("content_block_stop", index=0),
        _event("message_delta", delta=ended, usage=usage),
        _event("message_stop"),
    ))  # fmt: skip


def _responses(fake: FakeModel, body: Fields) -> Iterator[str]:
    step, number = fake.step(body), next(fake.numbers)
    item: Fields = {"id": f"it_{number}", "status": "completed"}
    if step.tool:
        item |= {"type": "function_call", "call_id": f"call_{number}", "name": step.tool}
        item |= {"arguments": json.dumps(step.arguments)}
        item |= {"namespace": step.namespace} if step.namespace else {}
    else:
        content = [{"type": "output_text", "text": step.text, "annotations": []}]
        item |= {"type": "message", "role": "assistant", "content": content}
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "total_tokens": 2,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    response = {"id": f"resp_{number}", "object": "response"}
    ended = {"status": "completed", "output": [item], "usage": usage}
    return iter((
        _event("response.created", response=response | {"status": "in_progress", "output": []}),
        _event("response.output_item.added", output_index=0, item=item),
        _event("response.output_item.done", output_index=0, item=item),
        _event("response.completed", response=response | ended),
    ))  # fmt: skip


def _chat(fake: FakeModel, body: Fields) -> Fields | Iterator[str]:
    step, number = fake.step(body), next(fake.numbers)
    ended = "tool_calls" if step.tool else "stop"
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    said: Fields = {"role": "assistant", "content": None if step.tool else step.text}
    if step.tool:
        function = {"name": step.tool, "arguments": json.dumps(step.arguments)}
        said["tool_calls"] = [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]
    whole: Fields = {"id": f"c{number}", "created": 1, "model": "fake", "usage": usage}
    if not body.get("stream"):
        choice = {"index": 0, "message": said, "finish_reason": ended}
        return whole | {"object": "chat.completion", "choices": [choice]}

    def chunk(delta: Fields, reason: str | None) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return f"data: {json.dumps(whole | {'object': 'chat.completion.chunk', 'choices': choices})}\n\n"

    return iter((chunk(said, None), chunk({}, ended), "data: [DONE]\n\n"))


def _google(fake: FakeModel, body: Fields, *, is_stream: bool) -> Fields | Iterator[str]:
    step = fake.step(body)
    part: Fields = {"text": step.text}
    if step.tool:
        part = {"functionCall": {"name": step.tool, "args": step.arguments}}
    content = {"role": "model", "parts": [part]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    answer = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
    }
    return iter((f"data: {json.dumps(answer)}\r\n\r\n",)) if is_stream else answer
