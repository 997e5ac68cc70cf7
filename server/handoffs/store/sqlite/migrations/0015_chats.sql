-- Where people are told of questions, and answer them, on a phone or by mail. Addresses and tokens are sealed.
CREATE TABLE chats (
    id        TEXT    NOT NULL PRIMARY KEY,
    person    TEXT    NOT NULL,
    channel   TEXT    NOT NULL,
    account   TEXT    NOT NULL,
    sealed    TEXT    NOT NULL,
    hint      TEXT    NOT NULL,
    added_at  INTEGER NOT NULL,
    quiet     TEXT    NOT NULL,
    turned_on INTEGER NOT NULL,
    problem   TEXT    NOT NULL
) STRICT;

-- What was sent of a question to a chat.
CREATE TABLE chat_messages (
    chat        TEXT    NOT NULL,
    handoff_id  TEXT    NOT NULL,
    message_key TEXT    NOT NULL,  -- of our making
    message_ref TEXT    NOT NULL,  -- of the service's making
    shown       TEXT    NOT NULL,
    told_at     INTEGER NOT NULL,
    PRIMARY KEY (chat, handoff_id)
) STRICT;

CREATE INDEX chat_messages_open ON chat_messages (chat, told_at) WHERE shown <> 'ended';

-- What a button means. Of its code, the digest.
CREATE TABLE chat_codes (
    digest     TEXT    NOT NULL PRIMARY KEY,
    chat       TEXT    NOT NULL,
    handoff_id TEXT    NOT NULL,
    content    TEXT    NOT NULL,
    answer     TEXT    NOT NULL,  -- JSON
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    used_by    TEXT    NOT NULL
) STRICT;

CREATE INDEX chat_codes_of_message ON chat_codes (chat, handoff_id);

-- The program that sends and reads for an account, and how far it has read.
CREATE TABLE chat_holds (
    account  TEXT    NOT NULL PRIMARY KEY,
    holder   TEXT    NOT NULL,
    ends     INTEGER NOT NULL,
    position TEXT    NOT NULL
) STRICT;
