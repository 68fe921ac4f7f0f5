/** `spindle telnet`: an example shell, to see what a terminal does. On loopback unless told otherwise. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as TelnetServer from "../../telnet/TelnetServer.ts"
import * as TelnetShell from "../../telnet/TelnetShell.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as StreamServerService from "../StreamServerService.ts"
import { refuseExposed } from "./exposure.ts"
import { connectionsMaxFlag, listenFlag, servers } from "./listening.ts"
import { tryCommand } from "./tryIt.ts"

const byDefault = `tcp:${7000 + TelnetServer.port}:interface=127.0.0.1`
const description = "a few commands at a terminal (RFC 854)"

export const maker = ServiceMaker.make({
  name: "telnet",
  description,
  flags: {
    listen: listenFlag(byDefault),
    connectionsMax: connectionsMaxFlag,
    lineMode: Flag.Boolean("line-mode").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Let clients that can edit their lines do so (RFC 1184). Default: each key comes at once"
      )
    ),
    unprotected: Flag.Boolean("unprotected").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Listen also where others can connect, who may then use what there is")
    )
  },
  make: Effect.fnUntraced(function* ({ connectionsMax, lineMode, listen, unprotected }) {
    const endpoints = yield* servers(listen.length === 0 ? [byDefault] : listen)
    if (!unprotected) yield* refuseExposed(endpoints, "telnet asks nobody for a password", "unprotected")
    const converse = TelnetServer.protocol({ lineMode })
    return StreamServerService.make({
      name: "telnet",
      description,
      endpoint: endpoints,
      connectionsMax,
      // Those who are there would stay.
      drainTimeout: "1 second",
      protocol: (transport) =>
        Effect.provideService(converse(transport), TelnetShell.TelnetShell, TelnetShell.example),
      onStart: tryCommand((host, port) => `telnet ${host} ${port}`)
    })
  })
})
