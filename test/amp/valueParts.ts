/** What values of AMP's arguments are made of, for inputs by chance. */
export const valueParts: ReadonlyArray<string> = [
  ..."019-+.eE",
  "inf",
  "nan",
  "T",
  ":",
  "\0\x01",
  "\0\0",
  "/",
  "..",
  "_",
  " "
]
