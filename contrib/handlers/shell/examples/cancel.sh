#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# The cancel example: a long count that stops when nobody waits for it any more.

# shellcheck source-path=SCRIPTDIR source=../usher.sh
. "$(dirname "$0")/../usher.sh"

count()
{
	local n to

	to=$(usher_message '.params | objects | .to | numbers | floor')
	for ((n = 1; n <= ${to:-600}; n++)); do
		usher_send "{\"count\":$n}"
		if usher_wait_cancelled 100; then	# the work
			usher_log info "cancelled at $n"
			usher_fail cancelled
			return
		fi
	done
	usher_finish '{"done":true}'
}

# One long program, ended by the cancel.
wait_long()
{
	local seconds

	seconds=$(usher_message '.params | objects | .seconds | numbers')
	usher_watch sleep "${seconds:-60}" && usher_finish '{"done":true}'
}

usher_handle count count
usher_handle wait wait_long
usher_run
