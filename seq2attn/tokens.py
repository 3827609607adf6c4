"""The special tokens: the ids that every vocabulary begins with."""

PAD = 0  # padding, on the right of a batch's shorter sentences
UNK = 1  # what the vocabulary cannot write
BOS = 2  # begin of sentence: what a decoder reads before the first token
EOS = 3  # end of sentence: the last token of every source and target
