"""`python -m seq2attn` is `seq2attn`."""

from seq2attn.cli.main import main

main()
