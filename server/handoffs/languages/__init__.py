"""The languages in which people are told what we say: pages of the inbox, and messages to chats.

`core.sentences` keeps what English text is made of; `spoken` says it in another language, from its catalogue.
"""
