-- Hashes of the functions on a stack, innermost first: hot lists and differences add up numbers and do not read the
-- names of all stacks. Some 60 bytes of each stack. For rows of before they are worked out in the background.

ALTER TABLE profile_stacks ADD COLUMN IF NOT EXISTS FrameKeys Array(UInt64) MATERIALIZED arrayReverse(arrayMap(
    (name, file) -> cityHash64(Function, name, file, toUInt32(0)),
    arrayMap(name -> cityHash64(name), Functions),
    arrayMap(file -> cityHash64(file), Files))) CODEC(ZSTD(1));

ALTER TABLE profile_stacks MATERIALIZE COLUMN FrameKeys;
