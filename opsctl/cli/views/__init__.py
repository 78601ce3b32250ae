"""What commands answer: a document for programs and lines for people, one file per command group."""
