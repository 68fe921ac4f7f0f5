/** Our SOCKS proxy, with its rules. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SocksRules, SocksServer, SocksUsers } from "spindle/socks"
import { serveWith } from "./spindle.ts"

serveWith(
  Effect.succeed(SocksServer.protocol()),
  Layer.mergeAll(SocksRules.layer({ allow: ["127.0.0.0/8"] }), SocksUsers.layer())
)
