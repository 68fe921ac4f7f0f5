/** What goes wrong on the way through a proxy, as reasons of `ConnectError`: as if it were the network that says so. */
import {
  type ConnectError,
  type ConnectReason,
  isConnectReason,
  type ListenError,
  type TransportError
} from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import type { SocksError } from "./SocksError.ts"

type Trouble =
  | SocksError
  | TransportError
  | ConnectError
  | ListenError
  | { readonly _tag: "ResolveError"; readonly reason: ConnectReason }

export const reasonOf = (error: Trouble): ConnectReason => {
  if (error._tag === "SocksError") return reasonOfSocks(error)
  if (error._tag === "ListenError") {
    return new Reason.BindFailed({ detail: error.reason.message, cause: error })
  }
  const { reason } = error
  return isConnectReason(reason) ? reason : new Reason.Reset({ detail: reason.detail, cause: reason })
}

/** By what the proxy says, as if it were said by the network. */
const reasonOfSocks = (error: SocksError): ConnectReason => {
  const fields = { detail: error.reason.message, cause: error }
  switch (error.reason._tag) {
    case "Denied":
      switch (error.reason.version === 5 ? error.reason.code : 0) {
        case 2:
          return new Reason.AccessDenied(fields)
        case 3:
        case 4:
          return new Reason.NoRoute(fields)
        case 5:
          return new Reason.Refused(fields)
        case 6:
          return new Reason.TimedOut(fields)
        case 7:
        case 8:
          return new Reason.Unsupported(fields)
        default:
          return new Reason.Refused(fields)
      }
    case "NoMethod":
    case "LoginRejected":
      return new Reason.AccessDenied(fields)
    case "Unaskable":
      return new Reason.InvalidAddress(fields)
    case "Ended":
      return new Reason.Reset(fields)
    default:
      return new Reason.HandshakeFailed(fields)
  }
}
