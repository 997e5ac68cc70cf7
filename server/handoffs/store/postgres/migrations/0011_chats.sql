-- Where people are told of questions, and answer them, on a phone or by mail. Addresses and tokens are sealed.
CREATE TABLE chats (
    id        text COLLATE "C" NOT NULL PRIMARY KEY,
    person    text   NOT NULL,
    channel   text   NOT NULL,
    account   text   NOT NULL,
    sealed    text   NOT NULL,
    hint      text   NOT NULL,
    added_at  bigint NOT NULL,
    quiet     text   NOT NULL,
    turned_on bigint NOT NULL,
    problem   text   NOT NULL
);

-- What was sent of a question to a chat.
CREATE TABLE chat_messages (
    chat        text COLLATE "C" NOT NULL,
    handoff_id  text COLLATE "C" NOT NULL,
    message_key text   NOT NULL,  -- of our making
    message_ref text   NOT NULL,  -- of the service's making
    shown       text   NOT NULL,
    told_at     bigint NOT NULL,
    PRIMARY KEY (chat, handoff_id)
);

CREATE INDEX chat_messages_open ON chat_messages (chat, told_at) WHERE shown <> 'ended';

-- What a button means. Of its code, the digest.
CREATE TABLE chat_codes (
    digest     text COLLATE "C" NOT NULL PRIMARY KEY,
    chat       text COLLATE "C" NOT NULL,
    handoff_id text COLLATE "C" NOT NULL,
    content    text   NOT NULL,
    answer     text   NOT NULL,  -- JSON
    expires_at bigint NOT NULL,
    used_at    bigint,
    used_by    text   NOT NULL
);

CREATE INDEX chat_codes_of_message ON chat_codes (chat, handoff_id);

-- The program that sends and reads for an account, and how far it has read.
CREATE TABLE chat_holds (
    account  text COLLATE "C" NOT NULL PRIMARY KEY,
    holder   text   NOT NULL,
    ends     bigint NOT NULL,
    position text   NOT NULL
);
