"""`python -m siamese_tf`: the `siamese-tf` command."""

from siamese_tf.cli import main

if __name__ == "__main__":
    main()
