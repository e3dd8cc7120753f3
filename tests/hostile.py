"""What somebody could write who means harm: for a page, a terminal, a template, an object, a file name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any, Final

HARM: Final = "window.harmed=1"
ELSEWHERE: Final = "http://elsewhere.invalid/x"
TEXTS: Final = (
    f"<script>{HARM}</script>",
    f"</script><script>{HARM}</script>",
    f"<img src=x onerror={HARM}>",
    f"<img src={ELSEWHERE}.png>",
    f"<svg onload={HARM}>",
    f"<svg><a xlink:href='javascript:{HARM}'><text>x</text></a></svg>",
    f"<svg><animate onbegin={HARM} attributeName=x dur=1s>",
    f"<svg><use href='data:image/svg+xml,<svg onload={HARM}/>'/></svg>",
    f"<iframe srcdoc='<script>parent.{HARM}</script>'></iframe>",
    f"<iframe src=javascript:parent.{HARM}></iframe>",
    f"<object data={ELSEWHERE}></object><embed src={ELSEWHERE}>",
    f"<link rel=stylesheet href={ELSEWHERE}.css><style>@import '{ELSEWHERE}';</style>",
    f"<style>*{{background:url({ELSEWHERE})}}</style>",
    f"<base href={ELSEWHERE}><meta http-equiv=refresh content='0;url={ELSEWHERE}'>",
    f"<form action={ELSEWHERE}><button autofocus onfocus={HARM}>x</button></form>",
    f"<video src={ELSEWHERE} autoplay onloadstart={HARM}></video>",
    f"<details open ontoggle={HARM}><summary>x</summary></details>",
    f"<template><script>{HARM}</script></template><!--><script>{HARM}</script>-->",
    f"<math><mtext></mtext><mglyph><style><img src onerror={HARM}></style>",
    f"<noscript><p title='</noscript><img src=x onerror={HARM}>'>",
    f'" onmouseover={HARM} autofocus onfocus={HARM} x="',
    f"' onclick={HARM} '",
    f"javascript:{HARM}",
    f"JaVaScRiPt:{HARM}//%0a",
    f"data:text/html,<script>{HARM}</script>",
    f"vbscript:{HARM}",
    f"blob:{ELSEWHERE}",
    "file:///etc/passwd",
    f"//{ELSEWHERE.partition('//')[2]}",
    ELSEWHERE,
    f"[x](javascript:{HARM}) ![x]({ELSEWHERE}.png) <{ELSEWHERE}>",
    f"```\n<script>{HARM}</script>\n```",
    f"```html\n</code></pre><script>{HARM}</script>",
    f"`<img src=x onerror={HARM}>` and ```x``` and ````",
    "&lt;script&gt;&#60;b&#62;&quot;&apos;&amp;amp;",
    "%3Cscript%3E\\u003cscript\\u003e\\x3cb\\x3e",
    f"${{{HARM}}} {{{{constructor.constructor('{HARM}')()}}}} <%= {HARM} %> #{{{HARM}}} {{% x %}}",
    "__proto__",
    "constructor",
    "prototype",
    "hasOwnProperty",
    "toString",
    "__defineGetter__",
    "then",
    "null",
    "\u202e\u2066txet desrever\u2069 \u202d\u061c",
    "\u200b\u200d\ufeff\u00ad\u2060\u034f x \ufe0f \U000e0041\U000e0042",
    "Z\u0351\u036b\u0343a\u0329\u0321l\u0348\u0325g\u031b\u0323o" + "\u0301" * 200,
    "\u2028a line\u2029another and\u3164one",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4",
    "A" * 900,
    "עברית עם <b>HTML</b> و العربية",
    "../../../../etc/passwd\\..\\..",
    "caucus://artifact/../../admin/tokens",
    "caucus://artifact/room/" + "0" * 63 + "g",
    "caucus://artifact/room/" + "0" * 64 + "?x=1",
    "'; DROP TABLE events; --",
    "=cmd|' /C calc'!A0",
    'data: {"x":1}\n\nid: 9@9\nevent: reset\n\n',
    "(a+)+$ .* [[ ]] \\ ^ | ?",
)
"""Each without control characters, tab and newline aside, and fit for a field of 1,024 characters."""


def in_a_line(text: str) -> str:
    """The same, where a field has one line."""
    return text.replace("\n", " ").replace("\t", " ").strip()[:1000] or "x"


def messages(count: int) -> Iterator[dict[str, Any]]:
    """So many messages, with something in each of their fields; none is the same as the one before."""
    kinds = cycle(("note", "finding", "question", "steer", "status"))
    texts = cycle(TEXTS)
    for number, text in enumerate(islice(texts, count)):
        line = in_a_line(text)
        yield {
            "type": next(kinds),
            "body": f"{text} {number}" if number % 3 else f"{number}\n{text}",
            "to": [line, "alice"],
            "artifact": line,
        }
