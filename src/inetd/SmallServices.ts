/** The six small services by name. */
import * as Chargen from "./Chargen.ts"
import * as Daytime from "./Daytime.ts"
import * as Discard from "./Discard.ts"
import * as Echo from "./Echo.ts"
import * as Qotd from "./Qotd.ts"
import type { SmallService } from "./SmallService.ts"
import * as Time from "./Time.ts"

/** With their defaults, but for daytime, which says what inetd says. */
export const internal: ReadonlyMap<string, SmallService> = new Map(
  [Echo.service, Discard.service, Chargen.service, Daytime.make("ctime"), Time.service, Qotd.make()].map(
    (service) => [service.name, service]
  )
)
