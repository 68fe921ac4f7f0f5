/** The networks that this machine is in, as its interfaces tell. */
import * as os from "node:os"
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Result from "effect/Result"

/** Of all interfaces that there are now, such as `192.168.1.0/24`. */
export const own = (): ReadonlyArray<string> =>
  Object.values(os.networkInterfaces()).flatMap((addresses = []) =>
    addresses.flatMap(({ cidr }) => {
      const found = IpInterface.fromString(cidr ?? "")
      return Result.isSuccess(found) ? [IpNetwork.format(IpNetwork.fromInterface(found.success))] : []
    })
  )
