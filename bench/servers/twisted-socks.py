"""Twisted's SOCKS 4 proxy."""

from twisted.protocols.socks import SOCKSv4Factory

from twisted_contract import run

run(SOCKSv4Factory(None))
