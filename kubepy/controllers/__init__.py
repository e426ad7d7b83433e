"""The control loops, each a pure plan beside a thin shell; manager.py runs them."""
