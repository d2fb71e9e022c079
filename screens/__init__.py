"""The pages of the application. `app.py` lists them; Streamlit lists a folder `pages` by itself."""
