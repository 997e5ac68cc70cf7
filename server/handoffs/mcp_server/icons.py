"""The icons of the server, for hosts that show one beside its name.

They are data URIs, so that a host needs no request to another machine. Both are drawn from the icon of the pages, the
small one by `packaging/draw_icons.py`; a test compares them.
"""

from base64 import b64encode

from mcp.types import Icon

_MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#2563c9"/>'
    '<path d="M8 10.5h16v9H15l-4.5 4v-4H8z" fill="#fff"/></svg>'
)
# 48 pixels, for hosts that show no SVG.
_SMALL = (
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAwCAYAAABXAvmHAAACy0lEQVR4nOyaS0hUURjH/9/pDgm9dgVGQT4qadPCVy0CtwUlrqQycBQJDFy1SR"
    "e1ahHVqkWRg5m0iigrsIioaKFTi8KFo6YzFMpUVExmjTpzv74zoQxOGrd53Dkwv8Vw7rlnZv7/c8/7uxZWoaTt9SaKxY8QcQMx7Qa4GEQbkE2Y"
    "Z+RziokCcnHHXmP1T16rjKxUnP6WuaN1cItl4wwDbURUBBdh5igTrtqE88HrtR+X308xUNIydEgxbhFhI/IIZnwHVNM7X1V/cr5KKkJl3qGzIv"
    "5+vonX/NFk3y1v8XdprUv5i4kyr/+YtPU+mABT87ivukcnEwZKvYN1ivBYLi2YwUKc1cFJX9WTRBOSx9NhkHiNR1H8lE5QadPbzeSJhsUEwSCk"
    "U3PMpmJLeaINMEy8Rle4R3G9DDpohKGI9npL6n4vTIVQqzuuqzNtmhRZ0vjXwlC0dgXDMd6A48mreld2V9P+0RlH5R0b6DtdgWyys9XvqHyhD7"
    "hNwYDbFAy4TcGA2xQMuE3BgNs4XswdvzCylK7Ytg6djdtTykTnbXT1BhH+No9s49jAv5a7X2diaL4UwMiHn8gFGT3Mev9pDicujmD6S/ZrfpGM"
    "GRgOzcJ7OYDIbBy5JCMGng9H0H5lDPMxRq5J28Dtl5/ReSOoj/pcIS0Dw8FZx3vYTKOPFufwn/yS4dJNRHtEJjIOw1CIEdYz8RsYChMHlDyHZz"
    "AUCf0OqJhtDcBQFmx7QIV6KgMyBD6CYUiA5l6oZ18osRqNQ3WkMxrlGq1VLdjtOp0wEPRVjUp7OglDkBbTNta7f0qnl/YDOu4qN84hz9EaJ3w1"
    "vYvXKcG9Mu+rwxIRv5mPrxrYhKOT3TUPk/NTdmSJdxEU75GG9gD5gtYimpaL16waXi1v8R9g5jr5hRqJapbIwLtVvrIeWYV/MGhaqnxC/stPRE"
    "/Hu6tfrFT6NwAAAP//fsQ4VQAAAAZJREFUAwCZi/IYrqwqSAAAAABJRU5ErkJggg=="
)

ICONS: list[Icon] = [
    Icon(src=f"data:image/png;base64,{_SMALL}", mime_type="image/png", sizes=["48x48"]),
    Icon(
        src=f"data:image/svg+xml;base64,{b64encode(_MARK.encode()).decode()}", mime_type="image/svg+xml", sizes=["any"]
    ),
]
"""Sent by `initialize` and `server/discover`: a small PNG that every host can show, and an SVG for any size."""
