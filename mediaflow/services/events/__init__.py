"""Events: part of the write that they tell of, appended to a log in one order, told to listeners at least once."""
