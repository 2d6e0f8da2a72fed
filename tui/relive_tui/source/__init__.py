"""Where the screens' data comes from: a home's store, one scene archive, one heap file."""
