/** `spindle finger`. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as FingerDirectory from "../../finger/FingerDirectory.ts"
import * as FingerPlans from "../../finger/FingerPlans.ts"
import * as FingerServer from "../../finger/FingerServer.ts"
import * as NodeReadFiles from "../../node/NodeReadFiles.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { connectionsMaxFlag, listenFlag, servers } from "./listening.ts"
import { tryIt } from "./tryIt.ts"

const byDefault = `tcp:${7000 + FingerServer.port}:interface=127.0.0.1`

const example: FingerDirectory.Person = {
  login: "spindle",
  name: "Spindle",
  plan: "Put NAME.plan files into a directory, and start me with --plans DIRECTORY."
}

const files = Effect.provideService(FileSystem.FileSystem, NodeReadFiles.make)

const plans = Effect.fnUntraced(function* (directory: string) {
  const info = yield* Effect.mapError(
    NodeReadFiles.make.stat(directory),
    (error) => new UsageError({ detail: `--plans: ${error.message}` })
  )
  if (info.type !== "Directory")
    return yield* new UsageError({ detail: `--plans: ${directory} is no directory` })
  return yield* files(FingerPlans.make({ directory }))
})

export const maker = ServiceMaker.make({
  name: "finger",
  description: "tells who somebody is (RFC 1288)",
  flags: {
    listen: listenFlag(byDefault),
    connectionsMax: connectionsMaxFlag,
    plans: Flag.String("plans").pipe(
      Flag.optional,
      Flag.withMetavar("DIRECTORY"),
      Flag.withDescription("Where NAME.plan tells about NAME; everybody may read what stands there")
    ),
    listing: Flag.Boolean("list").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Tell whoever asks for nobody in particular who there is; by default that is denied"
      )
    )
  },
  make: Effect.fnUntraced(function* ({ connectionsMax, listen, listing, plans: where }) {
    const directory = Option.isNone(where) ? FingerDirectory.memory([example]) : yield* plans(where.value)
    const converse = FingerServer.protocol({ listing })
    return StreamServerService.make({
      name: "finger",
      description: "tells who somebody is (RFC 1288)",
      endpoint: yield* servers(listen.length === 0 ? [byDefault] : listen),
      connectionsMax,
      protocol: (transport) =>
        Effect.provideService(converse(transport), FingerDirectory.FingerDirectory, directory),
      onStart: tryIt(Option.isNone(where) ? String.raw`spindle\r\n` : String.raw`NAME\r\n`)
    })
  })
})
