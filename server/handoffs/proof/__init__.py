"""The verifiable log: a Merkle tree over the leaves of all events, in the formats of C2SP. Reads no store."""
