"""The operations, a file for each thing that they are about, and the document that describes them."""
