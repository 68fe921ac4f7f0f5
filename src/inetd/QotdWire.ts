/** Quotations (RFC 865), from a text that has many of them. */

/** A quotation has fewer bytes than this (RFC 865). */
export const bytesLimit = 512

export interface Quotes {
  /** As they are sent: UTF-8, lines ended by CR LF. */
  readonly quotes: ReadonlyArray<Uint8Array>
  /** Those left out because they are too long: by the number of their first line. */
  readonly tooLong: ReadonlyArray<number>
}

const encoder = new TextEncoder()

/**
 * Quotations parted as in a file of fortune(6), by lines that hold nothing but `%`; where there are none, by empty lines.
 * Control characters other than tabs are dropped: they would reach somebody's terminal.
 */
export const parse = (text: string): Quotes => {
  const lines = text.split(/\r\n|\n|\r/)
  const separator = lines.includes("%") ? /^%$/ : /^\s*$/
  const quotes: Array<Uint8Array> = []
  const tooLong: Array<number> = []
  let begun = 0
  for (let i = 0; i <= lines.length; i++) {
    if (i < lines.length && !separator.test(lines[i]!)) continue
    const body = lines.slice(begun, i)
    const start = body.findIndex((line) => line.trim() !== "")
    const end = body.findLastIndex((line) => line.trim() !== "")
    if (start >= 0) {
      const bytes = encoder.encode(
        body
          .slice(start, end + 1)
          .map((line) => `${clean(line)}\r\n`)
          .join("")
      )
      if (bytes.length < bytesLimit) quotes.push(bytes)
      else tooLong.push(begun + start + 1)
    }
    begun = i + 1
  }
  return { quotes, tooLong }
}

const clean = (line: string): string => line.trimEnd().replaceAll(/[^\P{Cc}\t]/gu, "")

/** What is said where nobody has given other quotations. */
export const standard: Quotes = parse(`A protocol is a promise; a timeout is what you do when it is broken.
%
Be strict in what you send, careful in what you accept,
and clear about which of the two went wrong.
%
The network is patient. Its users are not.
%
Every queue without a limit is a memory leak that waits for a busy day.
%
Close what you open, answer what you ask for, and say goodbye before you leave.
`)
