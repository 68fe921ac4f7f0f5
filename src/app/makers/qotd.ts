/** `spindle qotd`. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Qotd from "../../inetd/Qotd.ts"
import * as QotdWire from "../../inetd/QotdWire.ts"
import * as NodeTextFile from "../../node/NodeTextFile.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags, serve } from "./smallService.ts"

const { description, name, port } = Qotd.make()

/** The largest that fortune(6) comes with have 1.5 MB. */
const fileBytesMax = 16 * 1024 * 1024

/** The quotations of a file. Those that are too long are told, and left out; a file without any is a mistake. */
const read = Effect.fnUntraced(function* (file: string) {
  const text = yield* NodeTextFile.read(file, { bytesMax: fileBytesMax }).pipe(
    Effect.mapError((error) => new UsageError({ detail: `--quotes: ${error.message}` }))
  )
  const quotes = QotdWire.parse(text)
  for (const line of quotes.tooLong) {
    yield* Effect.logWarning(
      `${file}:${line}: left out, a quotation has less than ${QotdWire.bytesLimit} bytes`
    )
  }
  if (quotes.quotes.length > 0) return quotes
  return yield* new UsageError({ detail: `--quotes: there is no quotation in ${file}` })
})

export const maker = ServiceMaker.make({
  name,
  description,
  flags: {
    ...flags(port),
    quotes: Flag.String("quotes").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription(
        "Quotations parted by lines with a % as for fortune(6), or by empty lines. Default: a few of our own"
      )
    )
  },
  make: ({ quotes, ...options }) =>
    Effect.flatMap(Option.isNone(quotes) ? Effect.succeed(QotdWire.standard) : read(quotes.value), (quotes) =>
      serve(Qotd.make(quotes), options)
    )
})
