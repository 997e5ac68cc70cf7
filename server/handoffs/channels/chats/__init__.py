"""Chats: what all channels have in common by which people are told of questions and answer them on a phone or by mail.

A channel is a `service.Kind` and a `service.Service`. `wording` says what a message holds, `line` sends and withdraws
messages and reads what comes back, `pressed` turns that into answers, `courier` runs one line for each account, and
`setup` is what a person does on their page.
"""
