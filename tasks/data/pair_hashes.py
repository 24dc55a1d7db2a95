"""A number for each pair of user and item that depends on the seed and on their two ids, and on nothing else.

Ids are hashed with BLAKE2b (RFC 7693), keyed by the seed; the finaliser of SplitMix64 (Steele, Lea, Flood: Fast
Splittable Pseudorandom Number Generators, OOPSLA 2014) mixes the hashes of the two ids of a row.
"""

from __future__ import annotations

import hashlib

import numpy as np

from tasks.data.interactions import Interactions

BLOCK = 2**20  # rows at a time: temporary arrays of 8 MiB
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))  # shift, then multiply
LAST_SHIFT = 31


def hash_pairs(interactions: Interactions, seed: int) -> np.ndarray:
    """Return (n,) uint64, uniform over all 64-bit numbers, whatever the order of rows and the codes of the ids."""
    users, items = hash_ids(interactions.user_ids, "user", seed), hash_ids(interactions.item_ids, "item", seed)
    hashes = np.empty(len(interactions), dtype=np.uint64)
    for start in range(0, len(hashes), BLOCK):
        rows = slice(start, start + BLOCK)
        part = users[interactions.users[rows]]
        part += items[interactions.items[rows]]  # modulo 2**64
        hashes[rows] = _mix(part)
    return hashes


def hash_ids(ids: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Return (len(ids),) uint64. A user and an item of the same id differ by their `kind`."""
    key, person = seed.to_bytes(8, "little"), kind.encode()
    digests = (hashlib.blake2b(one.encode(), digest_size=8, key=key, person=person).digest() for one in ids.tolist())
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _mix(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser, in place: without it, the hashes of two users with two items would add up."""
    for shift, factor in MIX:
        values ^= values >> np.uint64(shift)
        values *= np.uint64(factor)
    values ^= values >> np.uint64(LAST_SHIFT)
    return values
