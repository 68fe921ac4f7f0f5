/** `spindle postfix`: a file as a table that Postfix asks, by tcp_table(5) or by socketmap_table(5). */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeReadFiles from "../../node/NodeReadFiles.ts"
import * as PostfixServer from "../../postfix/PostfixServer.ts"
import * as PostfixTable from "../../postfix/PostfixTable.ts"
import * as SocketmapServer from "../../postfix/SocketmapServer.ts"
import * as SocketmapTables from "../../postfix/SocketmapTables.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { refuseExposed } from "./exposure.ts"
import { connectionsMaxFlag, listenFlag, servers } from "./listening.ts"
import { tryCommand, tryIt } from "./tryIt.ts"

/** The protocol has no port of its own; this one is nobody's. */
const byDefault = "tcp:7423:interface=127.0.0.1"
const description = "a table that Postfix asks (tcp_table(5), socketmap_table(5))"

/** Lines of a key, white space, and a value, as in the sources of postmap(1); `#` begins a comment, white space continues a line. */
const parse = (text: string): ReadonlyArray<readonly [string, string]> => {
  const lines: Array<string> = []
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue
    if (/^\s/.test(line) && lines.length > 0) lines.push(`${lines.pop()} ${line.trim()}`)
    else lines.push(line.trim())
  }
  return lines.map((line) => {
    const [, key = line, value = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? []
    return [key, value]
  })
}

const read = (file: string) =>
  NodeReadFiles.make.readFileString(file).pipe(
    Effect.mapBoth({
      onSuccess: parse,
      onFailure: (error) => new UsageError({ detail: `--table: ${error.message}` })
    })
  )

export const maker = ServiceMaker.make({
  name: "postfix",
  description,
  flags: {
    listen: listenFlag(byDefault),
    connectionsMax: connectionsMaxFlag,
    table: Flag.String("table").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription("Lines of a key and a value, as postmap(1) reads them. Default: an example")
    ),
    socketmap: Flag.String("socketmap").pipe(
      Flag.optional,
      Flag.withMetavar("NAME"),
      Flag.withDescription(
        "Answer by socketmap_table(5), to who asks for the table of this name. Default: by tcp_table(5)"
      )
    ),
    unprotected: Flag.Boolean("unprotected").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Listen also where others can connect, who may then ask for every key")
    )
  },
  make: Effect.fnUntraced(function* ({ connectionsMax, listen, socketmap, table, unprotected }) {
    const endpoints = yield* servers(listen.length === 0 ? [byDefault] : listen)
    if (!unprotected)
      yield* refuseExposed(endpoints, "Postfix's tables ask nobody for a password", "unprotected")
    const entries = Option.isNone(table) ? ([["key", "value"]] as const) : yield* read(table.value)
    const service = PostfixTable.memory(entries)
    const key = Option.isNone(table) ? "key" : "KEY"
    const common = {
      name: "postfix",
      description,
      endpoint: endpoints,
      connectionsMax,
      // Postfix keeps its connections, and makes new ones.
      drainTimeout: "1 second"
    } as const
    if (Option.isNone(socketmap)) {
      const converse = PostfixServer.protocol()
      return StreamServerService.make({
        ...common,
        protocol: (transport) =>
          Effect.provideService(converse(transport), PostfixTable.PostfixTable, service),
        onStart: tryIt(String.raw`get ${key}\n`)
      })
    }
    if (!/^[!-~]+$/.test(socketmap.value)) {
      return yield* new UsageError({ detail: `--socketmap: "${socketmap.value}" cannot be a table's name` })
    }
    const tables = SocketmapTables.fromRecord({ [socketmap.value]: service })
    const converse = SocketmapServer.protocol()
    return StreamServerService.make({
      ...common,
      protocol: (transport) =>
        Effect.provideService(converse(transport), SocketmapTables.SocketmapTables, tables),
      onStart: tryCommand(
        (host, port) => `postmap -q ${key} socketmap:inet:${host}:${port}:${socketmap.value}`
      )
    })
  })
})
