/**
 * `spindle nameday`: what the package declares as a plugin of the kind `service`. This module is imported when that command is used,
 * and for its `--help`; to list plugins, what package.json says is enough.
 */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { readFile } from "node:fs/promises"
import { ServiceMaker, StreamServerService } from "spindle/app"
import { EndpointDescription } from "spindle/reactor"
import { nameday, parse, standard } from "./nameday.js"

/**
 * The calendar of a file. Lines that are none are told, and left out.
 *
 * @param {string} file
 */
const read = (file) =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: (signal) => readFile(file, { encoding: "utf8", signal }),
      catch: (cause) => ({ message: `--calendar: ${cause instanceof Error ? cause.message : cause}` })
    })
    const { calendar, wrong } = parse(text)
    for (const line of wrong) yield* Effect.logWarning(`${file}:${line}: left out, no day with names`)
    return calendar
  })

export const maker = ServiceMaker.make({
  name: "nameday",
  description: "Tells whose name day it is, a line at a time",
  flags: {
    listen: Flag.String("listen").pipe(
      Flag.withDefault("tcp:7066:interface=127.0.0.1"),
      Flag.withMetavar("ENDPOINT"),
      Flag.withDescription("Where to listen; default tcp:7066:interface=127.0.0.1")
    ),
    calendar: Flag.String("calendar").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription("Lines such as 12-13 Lucy, Lucia; default: a few days that many countries share")
    )
  },
  make: ({ calendar, listen }) =>
    Effect.gen(function* () {
      const endpoint = yield* Effect.fromResult(EndpointDescription.parseServerSync(listen))
      return StreamServerService.make({
        name: "nameday",
        endpoint,
        protocol: nameday({ calendar: Option.isNone(calendar) ? standard : yield* read(calendar.value) })
      })
    })
})
