"""Services as nftables rules: a pure render, applied atomically."""
