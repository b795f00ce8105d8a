"""`python -m cortex_policy`."""

from cortex_policy.door import main

main()
