"""Deal a flow its hand of queues: a few of many, the same for the same flow, seldom the same for two flows.

Source: apiserver pkg/util/shufflesharding/dealer.go.
"""

import hashlib


def flow_hash(schema: str, distinguisher: str) -> int:
    """64 bits that stand for the flow."""
    schema_bytes = schema.encode()
    digest = hashlib.sha256(len(schema_bytes).to_bytes(4, "little") + schema_bytes + distinguisher.encode())
    return int.from_bytes(digest.digest()[:8], "little")


def deal(entropy: int, queues: int, hand_size: int) -> tuple[int, ...]:
    """The indices of `hand_size` different queues."""
    remainders = []
    for dealt in range(hand_size):
        entropy, card = divmod(entropy, queues - dealt)
        remainders.append(card)
    hand: list[int] = []
    for card in remainders:
        chosen = card  # the card-th of the queues that are not yet in the hand
        for taken in sorted(hand):
            if chosen >= taken:
                chosen += 1
        hand.append(chosen)
    return tuple(hand)
