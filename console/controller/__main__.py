"""`python -m console.controller`: one controller process."""

import asyncio
import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()

    from console.controller.run import main  # Django must be set up before its models are imported

    asyncio.run(main())
