"""Ask an ASGI application in this process, message by message, which an HTTP client does not allow."""

import asyncio
import json


async def ask(app, *messages, method="POST", path="/api/images", headers=()):
    """Send a request to an ASGI application.

    Args:
        app: ASGI application.
        messages: what `receive` gives in turn: the bytes of a part of the body that is not its last, or a dictionary;
            then it waits for ever.
        method: HTTP method.
        path: path of the URL.
        headers: pairs of strings.

    Returns:
        `(status, headers, values)`: int, dictionary of strings, the JSON of the body; `(None, {}, None)` if the
        application does not answer.
    """
    messages, answer = list(messages), {}

    async def receive():
        if not messages:
            await asyncio.Event().wait()
        message = messages.pop(0)
        if isinstance(message, bytes):
            message = {"type": "http.request", "body": message, "more_body": True}
        return message

    async def send(message):
        answer.update({name: value for name, value in message.items() if name != "type"})

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in answer.get("headers", ())}
    return answer.get("status"), headers, json.loads(answer["body"]) if answer.get("body") else None


END = {"type": "http.request", "body": b"", "more_body": False}
"""The end of a body."""
DISCONNECT = {"type": "http.disconnect"}
