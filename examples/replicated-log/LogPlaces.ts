/** Where the nodes are. Each is asked by clients over TCP, and by the others over UDP, at the same port. */
import * as Config from "effect/Config"
import * as Schema from "effect/Schema"

export interface Place {
  readonly name: string
  readonly host: string
  readonly port: number
}

const pattern = /^(\w+)=([\w.-]+):(\d{1,5})$/

/** `a=127.0.0.1:8021 b=127.0.0.1:8022`: throws a `TypeError` for anything else. */
export const parse = (text: string): ReadonlyArray<Place> =>
  text
    .trim()
    .split(/\s+/)
    .map((word) => {
      const [, name, host, port] = pattern.exec(word) ?? []
      if (name === undefined || host === undefined) throw new TypeError(`NAME=HOST:PORT, not "${word}"`)
      return { name, host, port: Number(port) }
    })

const standard = "a=127.0.0.1:8021 b=127.0.0.1:8022 c=127.0.0.1:8023"

/** Where all nodes are; `name` as the source has it. */
export const config = (name: string): Config.Config<ReadonlyArray<Place>> =>
  Config.schema(Schema.String.check(Schema.isPattern(/^\s*(\w+=[\w.-]+:\d{1,5}\s*)+$/)), name).pipe(
    Config.withDefault(standard),
    Config.map(parse)
  )
