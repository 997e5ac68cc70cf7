"""A mailbox that sends questions and reads replies: its servers, what a reply says, and whether it is authentic.

`servers` reads the settings, `outgoing` writes messages, `smtp` sends them, `imap` fetches what came, `authenticity`
says whether the own server vouches for its sender, `incoming` takes it apart, and `replied` finds what a person wrote.
"""
