"""`python -m seq2attn` is `seq2attn`."""

from seq2attn.ending import end_on_signals


def main() -> None:
    """Run the command line, which a signal may end from here on."""
    end_on_signals()  # before anything that takes time is imported
    from seq2attn.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
