/** `spindle ident`. Names nobody unless told otherwise. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as IdentProc from "../../ident/IdentProc.ts"
import * as IdentServer from "../../ident/IdentServer.ts"
import * as IdentTokens from "../../ident/IdentTokens.ts"
import * as IdentUsers from "../../ident/IdentUsers.ts"
import * as NodeReadFiles from "../../node/NodeReadFiles.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { connectionsMaxFlag, listenFlag, servers } from "./listening.ts"
import { tryIt } from "./tryIt.ts"

const byDefault = `tcp:${7000 + IdentServer.port}:interface=127.0.0.1`
const description = "tells whose connection it is, or that nobody tells (RFC 1413)"

export const maker = ServiceMaker.make({
  name: "ident",
  description,
  flags: {
    listen: listenFlag(byDefault),
    connectionsMax: connectionsMaxFlag,
    user: Flag.String("user").pipe(
      Flag.optional,
      Flag.withMetavar("NAME"),
      Flag.withDescription("Answer with this name, whoever it is. Default: that the user is hidden")
    ),
    real: Flag.Boolean("real-users").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Answer with the account that has the connection (Linux): it is told to whoever has the other end"
      )
    ),
    tokens: Flag.Boolean("tokens").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Answer with a random word for each connection, and log which account it is (Linux): nobody else learns it"
      )
    )
  },
  make: Effect.fnUntraced(function* ({ connectionsMax, listen, real, tokens, user }) {
    if ([real, tokens, Option.isSome(user)].filter((given) => given).length > 1) {
      return yield* new UsageError({
        detail: "--user, --real-users and --tokens answer the same question: give one of them"
      })
    }
    const accounts = Effect.provideService(IdentProc.make, FileSystem.FileSystem, NodeReadFiles.make)
    const users = real
      ? yield* accounts
      : tokens
        ? IdentTokens.make(yield* accounts)
        : Option.match(user, { onNone: () => IdentUsers.hidden, onSome: IdentUsers.always })
    const converse = IdentServer.protocol()
    return StreamServerService.make({
      name: "ident",
      description,
      endpoint: yield* servers(listen.length === 0 ? [byDefault] : listen),
      connectionsMax,
      protocol: (transport) => Effect.provideService(converse(transport), IdentUsers.IdentUsers, users),
      onStart: tryIt(String.raw`6193, 23\r\n`)
    })
  })
})
